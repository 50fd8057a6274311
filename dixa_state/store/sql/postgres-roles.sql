-- Roles of a store on PostgreSQL. Run this in the store's database, as a superuser or as the role that
-- made the store and may create roles. It may be run again at any time: roles that exist stay as they
-- are, and end up with the rights below. Set their passwords yourself: \password dixa_state_writer
--
-- dixa_state_owner   owns the tables: for `schema --apply`, `replay` and erasure.
-- dixa_state_writer  adds events and keeps the views up to date: for `serve` and `ingest`. It has no
--                    right to change or delete events, nor anything that lets it have one.
-- dixa_state_reader  reads everything and writes nothing.
-- dixa_state_analyst reads the views in the schema `reporting`, and nothing else.

BEGIN;

DO $$
DECLARE
    name TEXT;
    relation REGCLASS;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'dixa_state_owner', 'dixa_state_writer', 'dixa_state_reader', 'dixa_state_analyst'
    ] LOOP
        IF to_regrole(name) IS NULL THEN
            EXECUTE format('CREATE ROLE %I LOGIN', name);
        END IF;
        IF name = 'dixa_state_analyst' THEN
            CONTINUE;
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema, name);
    END LOOP;
    -- Functions of others in this schema could be run by the owner unawares.
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema);
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO dixa_state_owner', current_schema);
    EXECUTE format('GRANT dixa_state_owner TO %I', current_user);  -- who is no superuser needs it below

    FOR relation IN
        SELECT oid FROM pg_class AS class
        WHERE relnamespace = to_regnamespace(current_schema) AND relkind IN ('r', 'v') AND (
            relname IN ('stored_events', 'head', 'deduplication', 'quarantine')
            OR relname IN ('projection', 'dixa_state_schema')
            OR relname ~ '^v[0-9]+_'
            OR relkind = 'v' AND EXISTS (
                SELECT FROM pg_class AS built WHERE built.relname ~ ('^v[0-9]+_' || class.relname || '$')
            )
        )
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO dixa_state_owner', relation);
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, dixa_state_writer, dixa_state_reader', relation);
        EXECUTE format('GRANT SELECT ON %s TO dixa_state_writer, dixa_state_reader', relation);
        IF relation::text ~ '^v[0-9]+_' THEN
            EXECUTE format('GRANT INSERT, DELETE ON %s TO dixa_state_writer', relation);
        END IF;
    END LOOP;

    GRANT USAGE, CREATE ON SCHEMA reporting TO dixa_state_owner;
    GRANT USAGE ON SCHEMA reporting TO dixa_state_analyst, dixa_state_reader;
    FOR relation IN
        SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace('reporting') AND relkind = 'v'
    LOOP
        EXECUTE format('ALTER VIEW %s OWNER TO dixa_state_owner', relation);
    END LOOP;
    GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO dixa_state_analyst, dixa_state_reader;
    ALTER DEFAULT PRIVILEGES FOR ROLE dixa_state_owner IN SCHEMA reporting
    GRANT SELECT ON TABLES TO dixa_state_analyst;
END;
$$;

ALTER FUNCTION stored_events_refuse_change() OWNER TO dixa_state_owner;
ALTER FUNCTION append_events OWNER TO dixa_state_owner;

GRANT INSERT ON stored_events, deduplication, quarantine, projection TO dixa_state_writer;
GRANT UPDATE (position) ON head TO dixa_state_writer;
GRANT UPDATE (problem, reason, resolution, resolved_at) ON quarantine TO dixa_state_writer;
GRANT UPDATE, DELETE ON projection TO dixa_state_writer;

-- The tables that a replay makes.
ALTER DEFAULT PRIVILEGES FOR ROLE dixa_state_owner GRANT SELECT ON TABLES TO dixa_state_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE dixa_state_owner
GRANT SELECT, INSERT, DELETE ON TABLES TO dixa_state_writer;

COMMIT;
