"""``b1000 monitor``: is there a good, fresh, complete backup of everything in the fleet?"""
