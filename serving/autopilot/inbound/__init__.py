"""Messages from customers: language, topic and severity of each."""
