"""The figures of a report: one kind a module, each from tables to drawings."""
