DROP INDEX systems_with_contact_period, systems_by_standing, systems_by_protection, systems_by_name, systems_of_org;
