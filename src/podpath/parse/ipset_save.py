"""stub"""
def parse_ipset_save(text, file):
    return {}, ()
