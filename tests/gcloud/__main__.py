"""Runs a small Google Cloud on this machine, to try or test the worker:

    python3 tests/gcloud --port 9000 --emulator --bucket lab

It prints the environment variables that direct the worker (and Google's own clients) to it, and
runs until Ctrl-C. Add faults with curl; faults.py describes the rules:

    curl localhost:9000/_faults -d '{"kind": "upload.*", "action": "status", "code": 503}'
    curl -X DELETE localhost:9000/_faults          removes all faults
    curl localhost:9000/_requests                  lists the requests so far
    curl localhost:9000/_down -d '{"seconds": 5}'  stops the server for a while
    curl localhost:9000/_metadata -d '{"instance/preempted": "TRUE"}'
"""
import argparse
import pathlib
import signal
import sys
import tempfile

sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent)
from gcloud import emulator, server  # noqa: E402  (needs the path above)


def main():
    parser = argparse.ArgumentParser(prog="tests/gcloud", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--bucket", action="append", default=[], help="make this bucket (repeat)")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS",
                        help="added to each response")
    parser.add_argument("--emulator", action="store_true",
                        help="start the Datastore emulator of the Cloud SDK too")
    parser.add_argument("--datastore", metavar="HOST:PORT", help="an emulator that runs already")
    options = parser.parse_args()
    if options.emulator and emulator.why_not():
        sys.exit(emulator.why_not())
    # Both signals end the server, because a script's shell makes background jobs ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as directory:
        datastore = emulator.Emulator(directory) if options.emulator else None
        try:
            address = datastore.address if datastore else options.datastore
            cloud = server.Server(options.port, address, latency=options.latency)
            for bucket in options.bucket:
                cloud.storage.make_bucket(bucket)
            print(f"export STORAGE_EMULATOR_HOST=http://{cloud.address}")
            print(f"export GCE_METADATA_HOST={cloud.address}")
            if address:
                print(f"export DATASTORE_EMULATOR_HOST={cloud.address}")
            sys.stdout.flush()
            signal.pause()
        except KeyboardInterrupt:
            pass
        except OSError as problem:
            sys.exit(f"tests/gcloud: port {options.port}: {problem.strerror}")
        finally:
            if datastore:
                datastore.stop()


if __name__ == "__main__":
    main()
