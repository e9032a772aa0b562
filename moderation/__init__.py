"""Reports, the moderators' pages, and the audit log of their actions. Imports all apps that it moderates."""
