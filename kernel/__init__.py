"""What must be the same in every service; knows none of them."""
