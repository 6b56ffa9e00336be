"""What processes used counts after their end too, whoever waited for them."""

import subprocess
import sys
import time

from benchmarks.speed.process_tree import Watch, tree

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
        with Watch(one.pid, memory=True) as watch:
            one.stdin.write("\n")
            one.stdin.flush()
            assert one.stdout.readline() == "done\n"
        assert [process.pid for process in tree(one.pid)] == [one.pid]
        one.stdin.write("\n")
    assert 0.9 <= watch.cpu_s <= 3.0
    assert 3 < watch.peak_mb < 500


def test_others_are_those_who_are_not_started_from_here():
    """A child of this process is none of the others; one whose parent has ended is nobody's."""
    work = "import time; end = time.process_time() + {}\nwhile time.process_time() < end: sum(range(1000))"
    orphaned = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {work.format(4.0)!r}])"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as watched:
        with Watch(watched.pid) as alone:
            subprocess.run([sys.executable, "-c", work.format(1.0)], check=True)
        subprocess.run([sys.executable, "-c", orphaned], check=True)
        with Watch(watched.pid) as beside:
            time.sleep(2)
        watched.stdin.write(b"\n")
    assert beside.others_s - alone.others_s > 0.3


def test_a_tree_that_has_ended_is_empty():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert tree(done.pid) == []
