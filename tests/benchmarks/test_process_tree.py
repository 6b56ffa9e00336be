"""What processes used counts after their end too, whoever waited for them."""

import subprocess
import sys

from benchmarks.speed.process_tree import Watch, busy_seconds, tree

# Works for a second in a child whose end nobody waits for, as Ray's raylet does with its workers.
PARENT = """
import signal, subprocess, sys, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
work = "import time; end = time.process_time() + 1.5\\nwhile time.process_time() < end: sum(range(1000))"
print("ready", flush=True)
sys.stdin.readline()
child = subprocess.Popen([sys.executable, "-c", work])
while child.poll() is None:
    time.sleep(0.05)
print("done", flush=True)
sys.stdin.readline()
"""


def test_the_time_of_children_that_ended_is_not_lost():
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as one:
        assert one.stdout.readline() == "ready\n"
        before = busy_seconds()
        with Watch(one.pid, memory=True) as watch:
            one.stdin.write("\n")
            one.stdin.flush()
            assert one.stdout.readline() == "done\n"
        assert [process.pid for process in tree(one.pid)] == [one.pid]
        one.stdin.write("\n")
    assert 0.9 <= watch.cpu_s <= 3.0
    assert busy_seconds() - before >= 1.4
    assert 3 < watch.peak_mb < 500


def test_a_tree_that_has_ended_is_empty():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert tree(done.pid) == []
