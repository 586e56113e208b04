"""Processor `gen_ai_cost`: what a model call cost, in US dollars."""
