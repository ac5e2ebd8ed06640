"""The exercises as tests: pytest examples/exercises -m ex03"""
import check
import pytest


@pytest.mark.parametrize("number", [
    pytest.param(number, marks=getattr(pytest.mark, f"ex{number:02}")) for number in check.FILES])
def test_exercise(number):
    verdicts = check.judge(number, check.FOLDER)
    if check.summary(verdicts) != "done":
        pytest.fail(check.table(number, verdicts, check.FOLDER), pytrace=False)
