"""The copywriter: briefs become drafts, drafts are checked and approved; never on the hot path."""
