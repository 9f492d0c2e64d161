"""Explore Roboflow's Serverless Hosted API in notebooks."""
