"""What is built rather than copied: messages, tools, documents, variables, results of evaluations."""
