-- The indexes of the fleet, in a transaction of their own, so that uploads wait less at a time.
CREATE INDEX systems_of_org ON systems (org_id, id);
CREATE INDEX systems_by_name ON systems (name, id);
CREATE INDEX systems_by_protection ON systems (protected_until, id);
-- The systems that need somebody's attention, whatever the time is. They are few.
CREATE INDEX systems_by_standing ON systems (standing, id) WHERE standing <> 'stored';
CREATE INDEX systems_with_contact_period ON systems (id) WHERE contact_period_in_force IS NOT NULL;
