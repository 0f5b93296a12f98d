//! The same for librdkafka, as far as the one that is built in can do it.

use super::{Bootstrap, Mechanism};
use crate::error::DriveError;
use rdkafka::config::ClientConfig;

impl Bootstrap {
    /// Tells librdkafka where the cluster is and who one is.
    ///
    /// # Errors
    /// When the librdkafka of this build cannot do what is asked.
    pub fn configure(&self, config: &mut ClientConfig) -> Result<(), DriveError> {
        let cannot = |what: &str| DriveError::Setting {
            field: "driver",
            value: "librdkafka".into(),
            accepted: format!(
                "the librdkafka of this build has no {what}; take driver = \"native\""
            ),
        };
        config.set("bootstrap.servers", self.to_string());
        if self.security.tls.is_some() {
            return Err(cannot("TLS"));
        }
        match &self.security.sasl {
            None => Ok(()),
            Some(sasl) if sasl.mechanism == Mechanism::Plain => {
                config
                    .set("security.protocol", "sasl_plaintext")
                    .set("sasl.mechanism", "PLAIN")
                    .set("sasl.username", &sasl.user)
                    .set("sasl.password", &sasl.password);
                Ok(())
            }
            Some(_) => Err(cannot("SCRAM")),
        }
    }
}
