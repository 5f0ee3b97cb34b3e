"""The mixed load beside a broker that crashes, however it does."""

import random
import signal
import subprocess
import time

from mixed_load import ACTORS, Members, Numbers

WHOLE_ROUNDS_MAX = 30


class LoadedServer:
    """The server and its actors, who go on over crashes. `between` runs each time that the server is down; `stops` of the
    times it was told to stop, and not killed; `rounds` is how often it is to go down: the more often, the fewer checks
    read all of the compacted topics."""

    def __init__(self, server, seed, rounds, actors=ACTORS, between=lambda: None, stops=0.0):
        self.server = server
        self.chance = random.Random(seed)
        self.between = between
        self.stops = stops
        server.settings = [f"listen.{name}={address}" for name, address in server.ready.items()]
        self.actors = [make(server.kafka, seed) for make in actors]
        for actor in self.actors:
            actor.whole_every = 1 if rounds <= WHOLE_ROUNDS_MAX else 10
            actor.start()
        self.began = time.monotonic()
        self.kills = 0

    def crash_and_check(self):
        """A kill at some moment, then now and then amid recovery; what was answered before is checked."""
        time.sleep(self.chance.uniform(0.0, 0.3))
        if self.chance.random() < self.stops:
            assert self.server.stop() == 0, self.server.errors()[-2000:]
        else:
            self.server.kill()
        answered = [actor.answered() for actor in self.actors]
        self.crashed()
        while self.chance.random() < 0.1:
            self.kill_while_starting()
        self.server.start()
        for actor, what in zip(self.actors, answered):
            actor.check(what)

    def halt_and_check(self, seconds_max):
        """What clients were answered before is there when the process goes on."""
        self.server.process.send_signal(signal.SIGSTOP)
        answered = [actor.answered() for actor in self.actors]
        time.sleep(self.chance.uniform(1, seconds_max))
        self.server.process.send_signal(signal.SIGCONT)
        for actor, what in zip(self.actors, answered):
            actor.check(what)

    def kill_while_starting(self):
        """Recovery itself is cut short."""
        process = self.server.launch(stdout=subprocess.DEVNULL)
        time.sleep(self.chance.uniform(0.0, 0.15))
        process.kill()
        process.wait()
        self.crashed()

    def crashed(self):
        self.between()
        self.kills += 1

    def finish(self):
        """The load comes to its end; all of it is checked after one more crash."""
        numbers, = (actor for actor in self.actors if isinstance(actor, Numbers))
        for actor in self.actors:
            if isinstance(actor, Members):
                actor.await_all(numbers.sent)
            actor.stop()
        self.server.kill()
        self.crashed()
        self.server.start()
        for actor in self.actors:
            actor.finish()

    def tell(self):
        compactions = self.server.errors().count(" compacted ")
        print(f"{self.kills} kills in {time.monotonic() - self.began:.0f} s: " +
              "; ".join(actor.told() for actor in self.actors) + f"; {compactions} compactions", flush=True)
