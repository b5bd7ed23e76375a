"""The team's view in Slack: incidents mirrored as messages, and buttons that become requests.

Pure: `text`, `blocks`, `thread`, `storm`, `modals`, `home`, `routing`, `due`, `charts`, `manifest`.
They say what should stand in Slack. Thin: `web` (Web API), `socket_mode` and `signed_http` (what
comes in), `mirror` (posts what is due), `surface` (what people press), `check` (for the doctor).
"""
