"""The state table against a transcript of PS3.8 Table 9-10, acceptor's columns."""

from listener.states import TABLE, Action, Event, State

# Columns: Sta1 2 3 6 7 8 10 12 13; a dash where the standard has no entry.
COLUMNS = (1, 2, 3, 6, 7, 8, 10, 12, 13)
TRANSCRIPT = """
3  -    AA-1 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8 AA-6
4  -    AA-1 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8 AA-6
5  AE-5 -    -    -    -    -    -     -    -
6  -    AE-6 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8 AA-7
7  -    -    AE-7 -    -    -    -     -    -
8  -    -    AE-8 -    -    -    -     -    -
9  -    -    -    DT-1 -    AR-7 -     -    -
10 -    AA-1 AA-8 DT-2 AR-6 AA-8 AA-8  AA-8 AA-6
11 -    -    -    AR-1 -    -    -     -    -
12 -    AA-1 AA-8 AR-2 AR-8 AA-8 AA-8  AA-8 AA-6
13 -    AA-1 AA-8 AA-8 AR-3 AA-8 AR-10 AA-8 AA-6
14 -    -    -    -    -    AR-4 -     AR-4 -
15 -    -    AA-1 AA-1 AA-1 AA-1 AA-1  AA-1 -
16 -    AA-2 AA-3 AA-3 AA-3 AA-3 AA-3  AA-3 AA-2
17 -    AA-5 AA-4 AA-4 AA-4 AA-4 AA-4  AA-4 AR-5
18 -    AA-2 -    -    -    -    -     -    AA-2
19 -    AA-1 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8 AA-7
"""
NEXT = {
    "AE-5": 2, "AE-6": 3, "AE-7": 6, "AE-8": 13, "DT-1": 6, "DT-2": 6, "AR-1": 7, "AR-2": 8, "AR-3": 1, "AR-4": 13,
    "AR-5": 1, "AR-6": 7, "AR-7": 8, "AR-8": 10, "AR-10": 12, "AA-1": 13, "AA-2": 1, "AA-3": 1, "AA-4": 1, "AA-5": 1,
    "AA-6": 13, "AA-7": 13, "AA-8": 13,
}  # fmt: skip


def test_the_table_is_the_standards():
    expected = {}
    for line in TRANSCRIPT.split("\n"):
        if line:
            event, *actions = line.split()
            assert len(actions) == len(COLUMNS)
            for state, action in zip(COLUMNS, actions, strict=True):
                if action != "-":
                    expected[Event(int(event)), State(state)] = (Action(action), State(NEXT[action]))
    assert expected == TABLE
