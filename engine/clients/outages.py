"""Nodes that are lost for a while, and how long their partitions are without a leader.

A loss begins when the node was killed or paused. A partition that the node led has a
new leader when every other node says so. The controller notices a loss by the node's
silence and says in its log when it did; what comes after that is the time that electing
and telling took. A node that is back before anybody was elected in its place counts as
that, not as a fast election."""

import datetime
import re
import time

from leaders import leaders

LOOK_S = 0.02
ASK_S = 1
FENCED = re.compile(r"^(\S+)\s.*fenced: nothing was heard of it.* node=(\d+)")
SECONDS_AROUND = range(-3, 13)
BAR = 40


class Outage:
    """One node's loss."""

    def __init__(self, node, others, topics):
        self.node, self.others, self.topics = node, others, topics
        self.led = {place for place, leader in leaders(others[0].address, topics, ASK_S).items()
                    if leader == node.number}
        self.began = self.began_wall = None
        self.moved = {}

    def begin(self):
        """The node is gone as of now."""
        self.began, self.began_wall = time.monotonic(), time.time()

    def watch(self, seconds):
        """Looks for new leaders, for so long."""
        end = self.began + seconds
        while (now := time.monotonic()) < end:
            try:
                told = [leaders(other.address, self.topics, ASK_S) for other in self.others]
            except OSError:
                continue
            now = time.monotonic()
            for place in self.led - self.moved.keys():
                if all(each.get(place, -1) not in (self.node.number, -1) for each in told):
                    self.moved[place] = now - self.began
            time.sleep(LOOK_S)

    def detected(self):
        """When a controller noticed it, in seconds after it began."""
        times = []
        for other in self.others:
            with open(other.log) as log:
                for found in filter(None, map(FENCED.match, log)):
                    at = datetime.datetime.fromisoformat(found[1].replace("Z", "+00:00")).timestamp()
                    if int(found[2]) == self.node.number and at > self.began_wall:
                        times.append(at - self.began_wall)
        return min(times, default=None)


def spread(values):
    values = sorted(values)
    at = lambda share: values[min(len(values) - 1, int(share * len(values)))]
    return f"p50 {at(0.5):.2f} s, p99 {at(0.99):.2f} s, most {values[-1]:.2f} s" if values else "none"


def report(outages, ledgers, tenths):
    """Prints how long partitions were without a leader, and what was acknowledged
    around the losses after which there was another."""
    whole, after, back = [], [], 0
    elected = []
    for outage in outages:
        back += len(outage.led) - len(outage.moved)
        if not outage.moved:
            continue
        elected.append(outage)
        detected = outage.detected()
        for took in outage.moved.values():
            whole.append(took)
            if detected is not None and detected <= took:
                after.append(took - detected)
    print(f"cluster: {len(whole)} partitions lost their leader and got another: {spread(whole)} "
          f"after the loss; {spread(after)} after the controller noticed ({len(after)} of them); "
          f"{back} had their old one back first", flush=True)
    if not elected:
        return
    print(f"cluster: acknowledged a second at acks=all, mean around {len(elected)} losses with an election:")
    rates = {}
    for second in SECONDS_AROUND:
        total = 0
        for outage in elected:
            first = int((outage.began + second) * tenths)
            total += sum(ledger.by_time[first + n] for ledger in ledgers if ledger.acks == "all" for n in range(tenths))
        rates[second] = total / len(elected)
    most = max(rates.values()) or 1
    for second, rate in rates.items():
        print(f"  {second:+3d} s {rate:7.0f} {'#' * round(BAR * rate / most)}")
