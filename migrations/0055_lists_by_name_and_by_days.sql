-- Statements are planned once, without their values: between an index by age and one by name the planner saw no difference, and a list
-- of what few sagas do read everybody's. With the id and the end the ids are read from the index alone, which is the cheaper whatever
-- the statistics say.
DROP INDEX saga_by_name;
CREATE INDEX saga_by_name ON saga (name, requested_at, id) INCLUDE (ended_as);

-- Stays of a property from a day on: few are young, however many there were.
CREATE INDEX reservation_by_check_out ON reservation (property_id, check_out_date);
