-- Search finds people and places by the beginning of a word, of an address or of a number, whatever their number: by ranges of these rows.
-- Small letters, compatibility forms as one, and one blank for whatever parts words.
CREATE FUNCTION search_text(given text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN btrim(regexp_replace(lower(normalize(left(given, 200), NFKC) COLLATE pg_c_utf8), '[\s.,;:''"()/_-]+', ' ', 'g'));

-- A name begins with each of its words in turn, the others after it: so two words are found together, in either order. Of a number also
-- its last nine digits, as it is dialled at home.
CREATE FUNCTION search_words(name text, email text, phone text) RETURNS SETOF text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT DISTINCT left(word, 120) FROM (
    SELECT array_to_string(parts[place:] || parts[:place - 1], ' ') AS word
      FROM (SELECT string_to_array(search_text(name), ' ') AS parts) split, generate_series(1, least(cardinality(parts), 6)) AS place
    UNION ALL SELECT lower(email COLLATE pg_c_utf8)
    UNION ALL SELECT digits FROM (SELECT regexp_replace(phone, '[^0-9]', '', 'g') AS full_number) number,
      LATERAL (VALUES (full_number), (right(full_number, 9))) AS forms (digits)
  ) words WHERE word <> '';
END;

-- `place`: '' is everybody's, `at <property>` of those with a stay there, `by <who>` of those whom somebody has added. An agent's guests
-- are found among their own alone, however many others bear the same name.
CREATE TABLE guest_word (
  place text NOT NULL,
  word text COLLATE "C" NOT NULL,
  guest_id text NOT NULL,
  PRIMARY KEY (place, word, guest_id)
);
-- Of properties, owners and staff there are as many as a house has.
CREATE TABLE name_word (
  kind text NOT NULL CHECK (kind IN ('PROPERTY', 'OWNER', 'STAFF')),
  word text COLLATE "C" NOT NULL,
  id text NOT NULL,
  PRIMARY KEY (kind, word, id)
);

CREATE FUNCTION guest_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    DELETE FROM guest_word w USING search_words(OLD.name, OLD.email, OLD.phone) said (word),
        (SELECT '' UNION ALL SELECT 'by ' || OLD.created_by UNION ALL SELECT 'at ' || p.property_id FROM guest_place p WHERE p.guest_id = OLD.id) places (place)
     WHERE w.place = places.place AND w.word = said.word AND w.guest_id = OLD.id;
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  INSERT INTO guest_word SELECT places.place, said.word, NEW.id FROM search_words(NEW.name, NEW.email, NEW.phone) said (word),
      (SELECT '' UNION ALL SELECT 'by ' || NEW.created_by UNION ALL SELECT 'at ' || p.property_id FROM guest_place p WHERE p.guest_id = NEW.id) places (place)
   WHERE places.place IS NOT NULL ON CONFLICT DO NOTHING;
  RETURN NEW;
END $$;
CREATE TRIGGER words AFTER INSERT ON guest FOR EACH ROW EXECUTE FUNCTION guest_words();
CREATE TRIGGER words_of_change AFTER UPDATE OF name, email, phone, created_by ON guest FOR EACH ROW
  WHEN ((OLD.name, OLD.email, OLD.phone, OLD.created_by) IS DISTINCT FROM (NEW.name, NEW.email, NEW.phone, NEW.created_by))
  EXECUTE FUNCTION guest_words();
-- Before: the places of the guest go with the guest.
CREATE TRIGGER words_of_gone BEFORE DELETE ON guest FOR EACH ROW EXECUTE FUNCTION guest_words();

CREATE FUNCTION guest_words_at_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO guest_word SELECT 'at ' || NEW.property_id, said.word, g.id
      FROM guest g, search_words(g.name, g.email, g.phone) said (word) WHERE g.id = NEW.guest_id ON CONFLICT DO NOTHING;
  ELSE
    DELETE FROM guest_word w USING guest g, search_words(g.name, g.email, g.phone) said (word)
     WHERE g.id = OLD.guest_id AND w.place = 'at ' || OLD.property_id AND w.word = said.word AND w.guest_id = g.id;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER words AFTER INSERT OR DELETE ON guest_place FOR EACH ROW EXECUTE FUNCTION guest_words_at_place();

-- Of a row with a name; a property has no address of its own to write to.
CREATE FUNCTION name_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    DELETE FROM name_word w USING search_words(OLD.name, to_jsonb(OLD) ->> 'email', to_jsonb(OLD) ->> 'phone') said (word)
     WHERE w.kind = TG_ARGV[0] AND w.word = said.word AND w.id = OLD.id;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO name_word SELECT TG_ARGV[0], said.word, NEW.id
      FROM search_words(NEW.name, to_jsonb(NEW) ->> 'email', to_jsonb(NEW) ->> 'phone') said (word) ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER words AFTER INSERT OR DELETE OR UPDATE OF name ON property FOR EACH ROW EXECUTE FUNCTION name_words('PROPERTY');
CREATE TRIGGER words AFTER INSERT OR DELETE OR UPDATE OF name, email, phone ON owner FOR EACH ROW EXECUTE FUNCTION name_words('OWNER');
CREATE TRIGGER words AFTER INSERT OR DELETE OR UPDATE OF name, email, phone ON staff FOR EACH ROW EXECUTE FUNCTION name_words('STAFF');

INSERT INTO guest_word SELECT places.place, said.word, g.id FROM guest g, search_words(g.name, g.email, g.phone) said (word),
    LATERAL (SELECT '' UNION ALL SELECT 'by ' || g.created_by UNION SELECT 'at ' || p.property_id FROM guest_place p WHERE p.guest_id = g.id) places (place)
 WHERE places.place IS NOT NULL;
INSERT INTO name_word SELECT 'PROPERTY', said.word, p.id FROM property p, search_words(p.name, NULL, NULL) said (word);
INSERT INTO name_word SELECT 'OWNER', said.word, o.id FROM owner o, search_words(o.name, o.email, o.phone) said (word);
INSERT INTO name_word SELECT 'STAFF', said.word, s.id FROM staff s, search_words(s.name, s.email, s.phone) said (word);

-- What a request has asked for, and what failed for the same reason. Few do.
CREATE INDEX saga_by_request ON saga (request_id, requested_at) WHERE request_id IS NOT NULL;
CREATE INDEX saga_by_error ON saga (error_code, requested_at, id) WHERE error_code IS NOT NULL;
CREATE INDEX saga_of_property_by_error ON saga (property_id, error_code, requested_at, id) WHERE error_code IS NOT NULL;
CREATE INDEX transaction_by_error ON transaction (error_code, created_at, id) WHERE error_code IS NOT NULL;
CREATE INDEX transaction_of_property_by_error ON transaction (property_id, error_code, created_at, id) WHERE error_code IS NOT NULL;
CREATE INDEX payment_by_error ON payment (error_code, created_at) WHERE error_code IS NOT NULL;
