-- Where a property is, as guests are told it.

ALTER TABLE property ADD COLUMN address text;
