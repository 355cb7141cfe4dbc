"""Who you are and what you may do: projects, apps, accounts, challenges, codes, tokens, grants, keys, audit.

main -> rpc -> use cases -> store | passwords | tokens | challenges | codes -> model
"""
