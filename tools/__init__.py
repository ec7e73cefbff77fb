"""What people run on their own machine: nothing of it is shipped to Lambda."""
