"""The item that is audited: an app for each way to do it, of which a contender installs one."""
