"""Tells its process id through a pipe and holds that open, starts further processes like itself, and waits for ever."""

import os
import signal
import subprocess
import sys

pipe, manner, generations = sys.argv[1:]
if manner == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(pipe, "w") as held:  # noqa: PTH123 - starts sooner without pathlib
    if int(generations) > 1:
        subprocess.Popen(
            [sys.executable, "-S", __file__, pipe, manner, str(int(generations) - 1)],
            start_new_session=manner == "daemon",
        )
    print(os.getpid(), file=held, flush=True)
    while True:
        signal.pause()
