"""What the dashboards can't show of a closed loop in which nothing goes wrong."""

_NO_TEACHER = "the loop has no teacher"
_NO_LOGIN = "the test's broker asks for no login"

#: Queries that may be without data, by dashboard, panel and the query's letter, each with the reason. All of them give
#: data in tests/integration/deploy/test_dashboards.py.
NOT_IN_A_LOOP: dict[tuple[str, str, str], str] = {
    ("drift", "Failures of monitors", "A"): "no monitor fails",
    ("intake", "Access token expires in", "A"): _NO_LOGIN,
    ("intake", "Access token failing for", "A"): _NO_LOGIN,
    ("intake", "Certificates expire in", "A"): _NO_LOGIN,
    ("intake", "Newest by kind", "B"): "nobody gives feedback",
    ("intake", "Open transaction", "A"): "no producer uses transactions",
    ("intake", "Redacted personal data", "A"): "nobody names personal data",
    ("intake", "Unreadable feedback", "A"): "nobody gives feedback",
    ("overview", "Rows pruned in an hour", "A"): "nothing is old enough",
    ("overview", "Teacher's budget", "A"): _NO_TEACHER,
    ("overview", "Teacher's budget", "B"): _NO_TEACHER,
    ("training", "Calls by outcome", "A"): _NO_TEACHER,
    ("training", "Calls left today", "A"): _NO_TEACHER,
    ("training", "Failing for", "A"): _NO_TEACHER,
    ("training", "Job of the current run", "A"): "trainings run in the daemon's own pod",
    ("training", "Money left today", "A"): _NO_TEACHER,
}
