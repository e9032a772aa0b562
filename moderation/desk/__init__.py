"""The desk is the admin site of the chat: its logins and their cookies. Its pages are in `moderation.admin`.

They are apart, because Django makes the site before it imports the pages that are registered with it.
"""
