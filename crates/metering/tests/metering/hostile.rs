use super::behaviour::wat;
