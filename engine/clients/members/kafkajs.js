// A group member with kafkajs: BROKER TOPIC GROUP PROTOCOL ASSIGNOR SESSION_MS.
// Says `HOLDS p p …` whenever that changes.
const { Kafka, logLevel } = require('kafkajs')

const [broker, topic, group, , , sessionMs] = process.argv.slice(2)
const kafka = new Kafka({ clientId: 'kafkajs', brokers: [broker], logLevel: logLevel.NOTHING })
const consumer = kafka.consumer({
  groupId: group,
  sessionTimeout: Number(sessionMs),
  rebalanceTimeout: 10000,
  heartbeatInterval: 300,
  // Heartbeats are sent between fetches: a fetch must not outlast a session.
  maxWaitTimeInMs: 200,
})
const say = (partitions) => console.log(['HOLDS', ...partitions.sort((a, b) => a - b)].join(' '))

consumer.on(consumer.events.REBALANCING, () => say([]))
consumer.on(consumer.events.GROUP_JOIN, (event) => say(event.payload.memberAssignment[topic] || []))

process.on('SIGTERM', async () => {
  await consumer.disconnect()
  process.exit(0)
})

const main = async () => {
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({ autoCommitInterval: 200, eachMessage: async () => {} })
}
main().catch((error) => {
  console.error(error)
  process.exit(1)
})
