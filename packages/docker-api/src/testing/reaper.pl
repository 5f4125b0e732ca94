# What Testcontainers' reaper does: clients tell labels on port 8080 and stay connected; once none has been connected
# for a while, what carries one of the labels is removed. Everything here is in Debian's perl-base.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;

$| = 1;
my $grace = ($ENV{RYUK_RECONNECTION_TIMEOUT} // '10s') =~ /^(\d+)/ ? $1 : 10;
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 16, ReuseAddr => 1) or die "cannot listen: $!";
my $select = IO::Select->new($server);
my (%labels, %pending, $connected);
print "Started\n";
for (;;) {
    my $idle = $select->count == 1;
    my @ready = $select->can_read($idle ? ($connected ? $grace : 60) : undef);
    last if !@ready;
    for my $socket (@ready) {
        if ($socket == $server) {
            $select->add(scalar $server->accept);
            $connected = 1;
        } elsif (!sysread($socket, $pending{$socket}, 4096, length($pending{$socket} // ''))) {
            $select->remove($socket);
            close $socket;
        } else {
            while ($pending{$socket} =~ s/^([^\r\n]*)\r?\n//) {
                my $line = $1;
                $labels{$1} = 1 if $line =~ /^label=(.+)$/;
                syswrite($socket, "ACK\n");
            }
        }
    }
}
for my $label (keys %labels) {
    my $filters = qq({"label":["$label"]});
    $filters =~ s/([^A-Za-z0-9])/sprintf('%%%02X', ord $1)/ge;
    for my $id (call('GET', "/containers/json?all=1&filters=$filters") =~ /"Id":"([0-9a-f]{64})"/g) {
        call('DELETE', "/containers/$id?force=1&v=1") if index($id, $ENV{HOSTNAME}) != 0;
    }
    call('DELETE', "/networks/$_") for call('GET', "/networks?filters=$filters") =~ /"Id":"([0-9a-f]{64})"/g;
    call('DELETE', "/volumes/$_?force=1") for call('GET', "/volumes?filters=$filters") =~ /"Name":"([^"]+)"/g;
}
print "Removed\n";

sub call {
    my ($method, $path) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => '/var/run/docker.sock') or die "no engine: $!";
    print $socket "$method $path HTTP/1.0\r\nHost: localhost\r\n\r\n";
    local $/;
    return scalar(<$socket>) // '';
}
