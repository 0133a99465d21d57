"""What the long run says at its end: how many inputs each reader had, and what became of them."""


def pytest_terminal_summary(terminalreporter) -> None:
    lines = [
        value
        for reports in (terminalreporter.stats.get(name, []) for name in ("passed", "failed"))
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "fuzz"
    ]
    if lines:
        terminalreporter.section("damaged inputs")
        for line in sorted(lines):
            terminalreporter.write_line(line)
