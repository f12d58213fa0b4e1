-- The service inserts rows that are stored already (a small upload needs one transaction), and writes their facts itself.
DROP TRIGGER backups_facts_insert ON backups;
CREATE TRIGGER backups_facts_insert AFTER INSERT ON backups
    FOR EACH ROW WHEN (NEW.state = 'stored' AND current_setting('strongroom.writes_facts', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION refresh_facts_of_row();
