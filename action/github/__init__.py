"""What is asked of GitHub's API, through PyGithub, on github.com and Enterprise Server alike."""
