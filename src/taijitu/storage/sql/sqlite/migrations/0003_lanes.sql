-- Each ability has its own lane: what is ready in one is found however much is ready in another.

CREATE INDEX task_lane ON task (ability, ready_at);
