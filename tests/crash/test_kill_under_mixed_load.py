"""kill -9 at random points of everything at once: produce, transactions, compaction, retention, topics that come and go, groups.

Now and then the process is halted for seconds instead (SIGSTOP). HEADRACE_KILLS and HEADRACE_SEED choose how often and when;
HEADRACE_DEEP=1 kills 500 times, and halts for longer than sessions last.
"""

import os
import random

from crashes import LoadedServer
from harness import DEEP
from mixed_load import TOPICS

KILLS = int(os.environ.get("HEADRACE_KILLS", "500" if DEEP else "30"))
TOLD_EVERY = 25
HALTS, HALT_S_MAX = (25, 9) if DEEP else (3, 3)


def test_what_was_answered_is_there_after_each_kill(headrace):
    seed = int(os.environ.get("HEADRACE_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}")
    load = LoadedServer(headrace(TOPICS), seed, KILLS)
    told = halted = 0
    while load.kills < KILLS:
        if load.kills >= (halted + 0.5) * KILLS / HALTS:
            load.halt_and_check(HALT_S_MAX)
            halted += 1
        load.crash_and_check()
        if load.kills - told >= TOLD_EVERY:
            told = load.kills
            load.tell()
    load.finish()
    load.tell()
    print(f"halted {halted} times")
