//! Authentication, credentials and access control.

use super::{ApiKey, ApiSpec};

pub(super) static SASL_HANDSHAKE: ApiSpec = ApiSpec::new(
    ApiKey::SaslHandshake,
    "SaslHandshake",
    0..=1,
    None,
    "
    mechanism str
",
);

pub(super) static DESCRIBE_ACLS: ApiSpec = ApiSpec::new(
    ApiKey::DescribeAcls,
    "DescribeAcls",
    1..=3,
    Some(2),
    "
    resource_type_filter i8
    resource_name_filter str?
    pattern_type_filter i8
    principal_filter str?
    host_filter str?
    operation i8
    permission_type i8
",
);

pub(super) static CREATE_ACLS: ApiSpec = ApiSpec::new(
    ApiKey::CreateAcls,
    "CreateAcls",
    1..=3,
    Some(2),
    "
    creations [
        resource_type i8
        resource_name str
        resource_pattern_type i8
        principal str
        host str
        operation i8
        permission_type i8
    ]
",
);

pub(super) static DELETE_ACLS: ApiSpec = ApiSpec::new(
    ApiKey::DeleteAcls,
    "DeleteAcls",
    1..=3,
    Some(2),
    "
    filters [
        resource_type_filter i8
        resource_name_filter str?
        pattern_type_filter i8
        principal_filter str?
        host_filter str?
        operation i8
        permission_type i8
    ]
",
);

pub(super) static SASL_AUTHENTICATE: ApiSpec = ApiSpec::new(
    ApiKey::SaslAuthenticate,
    "SaslAuthenticate",
    0..=2,
    Some(2),
    "
    auth_bytes bytes
",
);

pub(super) static DESCRIBE_USER_SCRAM_CREDENTIALS: ApiSpec = ApiSpec::new(
    ApiKey::DescribeUserScramCredentials,
    "DescribeUserScramCredentials",
    0..=0,
    Some(0),
    "
    users [
        name str
    ]?
",
);

pub(super) static ALTER_USER_SCRAM_CREDENTIALS: ApiSpec = ApiSpec::new(
    ApiKey::AlterUserScramCredentials,
    "AlterUserScramCredentials",
    0..=0,
    Some(0),
    "
    deletions [
        name str
        mechanism i8
    ]
    upsertions [
        name str
        mechanism i8
        iterations i32
        salt bytes
        salted_password bytes
    ]
",
);
