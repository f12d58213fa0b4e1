DROP TABLE usage_days, usage_days_added;
