"""A program that continues where it was stopped. It counts; a step takes a tenth of a second."""
import os
import signal
import sys
import time

STEPS = 60
path = os.path.join(os.environ["SPARKLES_CHECKPOINT_DIR"], "step.txt")


def load():
    """The number of steps that are done."""
    if not os.path.exists(path):
        return 0
    with open(path, encoding="utf-8") as file:
        return int(file.read())


def save():
    """Replaces the file as a whole, so that it is never half written."""
    with open(path + ".tmp", "w", encoding="utf-8") as file:
        file.write(str(step))
    os.rename(path + ".tmp", path)


def stop(*_):
    save()
    print(f"stopped after step {step}", flush=True)
    sys.exit(0)


signal.signal(signal.SIGTERM, stop)
step = load()
print(f"begins with step {step + 1} of {STEPS}", flush=True)
while step < STEPS:
    time.sleep(0.1)  # the work
    step += 1
    if step % 10 == 0:
        save()
print("all steps are done", flush=True)
