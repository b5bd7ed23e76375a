"""The dashboard: a surface on one or several engines, drawn with Textual."""
