"""What people look at after a build: summary, annotations, comment. Everything from outside is escaped."""
