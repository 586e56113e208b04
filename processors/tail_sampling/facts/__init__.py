"""What policies gather span by span: values of attributes, and what agents do."""
