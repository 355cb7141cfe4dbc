"""What a request costs, beside what the machine allows and what others need for the same. See README.md."""
