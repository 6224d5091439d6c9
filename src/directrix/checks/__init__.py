"""Health checks: is this real server fit to get connections, and with what weight?

Four layers, each knowing only those before it:

- **checkers**, one a file (`tcp_check.py`, `http_get.py` …), in one registry (`registry.py`): one attempt, one
  `Outcome`;
- **courses** (`course.py`), pure: outcomes in a row become *up* or *down*, and the time of the next attempt;
- **the pool** (`pool.py`), pure: all checkers of all real servers of a virtual service become what must be in the
  table: which servers, with which weights, the sorry server or not, and who is to be told;
- **the engine** (`engine.py`): runs checkers by their courses and hands on what they found.

The meaning is that of keepalived 2.2 throughout; where ours differs, the place says so.
"""
