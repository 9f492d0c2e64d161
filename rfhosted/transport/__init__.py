"""Send a request, bring back the response; the only room that knows requests and urllib3.

Nothing here knows what a model is or what a response means.
"""
