"""Messages that leave the machine: by SMTP, and by signed webhooks."""
