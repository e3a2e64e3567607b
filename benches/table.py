"""Prints what benches/openbao.sh measured: medians over the rounds, and Jinku's ratio to OpenBao.

    python3 table.py RESULTS

RESULTS has one line a measurement, tab-separated: server, case, round, CPU time of the server in
microseconds, the bytes of a whole answer on average, then what load.lua writes. `cpu` is the server's
own time for one item: load that shares the machine disturbs it less than it does the rates.

Exit code 1 when a request failed, or when the answers were not as long as the checked ones: an error in
an answer of success has another length, and the rate of such answers is no rate.
"""

import statistics
import sys

BATCH = 100
NAMES = {"openbao": "OpenBao", "jinku": "Jinku"}
# wrk counts the bytes of answers that had not ended, but not those answers; entry numbers grow.
LENGTH_TOLERANCE = 0.05
# The least a ratio should be, and the most: see the last lines of the output.
RATE_TARGET, P99_TARGET = 5.0, 0.1


class Round:
    """One measurement."""

    def __init__(self, fields):
        self.server, self.case = fields[0], fields[1]
        numbers = [int(field) for field in fields[3:]]
        cpu_us, whole, requests, self.micros, received, p50, p99 = numbers[:7]
        self.failed = sum(numbers[7:])
        self.odd = abs(received / max(requests, 1) / whole - 1) > LENGTH_TOLERANCE
        # wrk counts what failed by its status as a request.
        self.served = max(requests - numbers[7], 0)
        self.requests = self.served * 1e6 / self.micros
        self.items = self.requests * (BATCH if self.case.endswith("-batch") else 1)
        self.p50, self.p99 = p50 / 1e3, p99 / 1e3
        self.cpu = cpu_us / max(self.items * self.micros / 1e6, 1)


def median(rounds, field):
    return statistics.median(getattr(found, field) for found in rounds)


def row(case, server, cells, rest=""):
    widths = [11, 11, 10, 10, 10]
    line = f"{case:<14} {server:<8}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths))
    print(f"{line}  {rest}".rstrip())


def measured(case, server, rounds):
    rates = [found.requests for found in rounds]
    cells = [
        f"{median(rounds, 'requests'):.0f}",
        f"{median(rounds, 'items'):.0f}",
        f"{median(rounds, 'p50'):.2f}",
        f"{median(rounds, 'p99'):.2f}",
        f"{median(rounds, 'cpu'):.2f}",
    ]
    failed = sum(found.failed for found in rounds)
    odd = any(found.odd for found in rounds)
    rest = f"{failed:>6}   {min(rates):.0f} to {max(rates):.0f}"
    row(case, NAMES[server], cells, rest + ("   ANSWERS OF ANOTHER LENGTH" if odd else ""))
    return not failed and not odd


def compared(ours, theirs):
    def ratio(field, places):
        under = median(theirs, field)
        return f"{median(ours, field) / under:.{places}f}" if under else "-"

    places = {"requests": 2, "items": 2, "p50": 3, "p99": 3, "cpu": 3}
    row("", "ratio", [ratio(field, count) for field, count in places.items()])


def main():
    with open(sys.argv[1]) as file:
        rounds = [Round(line.rstrip("\n").split("\t")) for line in file]
    row("case", "server", ["requests/s", "items/s", "p50 ms", "p99 ms", "cpu µs"], "errors   requests/s, least to most")
    clean = True
    for case in dict.fromkeys(found.case for found in rounds):
        sides = {name: [found for found in rounds if (found.case, found.server) == (case, name)] for name in NAMES}
        shown = case
        for server, of_server in sides.items():
            if of_server:
                clean &= measured(shown, server, of_server)
                shown = ""
        if all(sides.values()):
            compared(sides["jinku"], sides["openbao"])
    print(f"targets: a ratio of {RATE_TARGET:g} and more in items/s, of {P99_TARGET:g} and less in p99")
    return 0 if clean and rounds else 1


sys.exit(main())
