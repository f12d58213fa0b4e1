DROP TRIGGER backups_facts_insert ON backups;
CREATE TRIGGER backups_facts_insert AFTER INSERT ON backups
    FOR EACH ROW WHEN (NEW.state = 'stored') EXECUTE FUNCTION refresh_facts_of_row();
