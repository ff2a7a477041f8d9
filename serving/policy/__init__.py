"""Who is written to, when and where: guards, actions, values, arms, choice."""
