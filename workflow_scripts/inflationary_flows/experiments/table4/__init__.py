"""The paper's table 4 beside ours."""
