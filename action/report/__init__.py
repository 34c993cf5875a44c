"""What people read: the job summary, annotations, the comment on a pull request, and the terminal's table."""
