/// What the room holds is written in this session.
enum PortalsRoom {}
