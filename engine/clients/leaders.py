"""Who leads what, as a broker tells it: Metadata 1 over a socket of one's own, so that
no client's cache or choice of broker lies between."""

import socket
import struct

METADATA, VERSION = 3, 1


class Fields:
    """Takes a response apart."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        value, = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return value

    def skip(self, length):
        self.at += max(length, 0)

    def text(self):
        length = max(self.take("h"), 0)
        self.skip(length)
        return self.data[self.at - length:self.at].decode()


def read(fields):
    fields.take("i")
    for _ in range(fields.take("i")):
        fields.take("i"), fields.text(), fields.take("i"), fields.text()
    fields.take("i")
    found = {}
    for _ in range(fields.take("i")):
        fields.take("h")
        topic = fields.text()
        fields.take("b")
        for _ in range(fields.take("i")):
            fields.take("h")
            index = fields.take("i")
            found[topic, index] = fields.take("i")
            for _ in ("replicas", "isr"):
                fields.skip(4 * fields.take("i"))
    return found


def leaders(address, topics, timeout=30):
    """The leader of each partition, by topic and number; -1 for none."""
    host, port = address.rsplit(":", 1)
    body = struct.pack(">hhih", METADATA, VERSION, 1, -1) + struct.pack(">i", len(topics))
    for topic in topics:
        body += struct.pack(">h", len(topic.encode())) + topic.encode()
    with socket.create_connection((host, int(port)), timeout=timeout) as stream:
        stream.sendall(struct.pack(">i", len(body)) + body)
        whole = stream.makefile("rb")
        length, = struct.unpack(">i", whole.read(4))
        return read(Fields(whole.read(length)))
